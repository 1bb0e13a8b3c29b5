rule landscape:
    input:
        slide=result("slide.zarr"),
        quality=result("quality.zarr"),
        labels=result("labels.zarr"),
        measurements=result("measurements.parquet"),
        phenotypes=result("phenotypes.parquet"),
        drawn=drawn("regions"),
        panel=ancient(panel),
    output:
        regions=directory(result("regions.zarr")),
        cells=result("cells.parquet"),
        landscape=result("landscape.csv"),
        wide=result("landscape_wide.csv"),
        dictionary=result("data_dictionary.csv"),
    log:
        result("logs/landscape.log"),
    benchmark:
        result("logs/landscape.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(6000),
    params:
        config=CONFIG,
        out=folder,
        regions=drawn_option("regions"),
        panel=panel_part(),
        section=section("landscape"),
    shell:
        "mifprofile landscape -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} {params.regions} > {log:q} 2>&1"
